'use strict';
// One MQTT.js client: a JSON command on each line of stdin, a JSON event on each line of stdout.
const fs = require('fs');
const readline = require('readline');
const mqtt = require('mqtt');

let client;

function say(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

function failure(error) {
  return error ? { message: error.message, code: error.code } : null;
}

const commands = {
  connect({ url, cafile, options }) {
    if (options.will) options.will.payload = Buffer.from(options.will.payload);
    client = mqtt.connect(url, { ca: fs.readFileSync(cafile), reconnectPeriod: 0, connectTimeout: 15000, ...options });
    client.on('connect', (connack) => say('connect', { connack }));
    client.on('error', (error) => say('error', failure(error)));
    client.on('close', () => say('close'));
    client.on('disconnect', (packet) => say('disconnect', { reason: packet.reasonCode }));
    client.on('message', (topic, payload, packet) =>
      say('message', { topic, payload: payload.toString('base64'), qos: packet.qos, retain: packet.retain,
                       properties: packet.properties }));
  },
  subscribe({ filter, options }) {
    client.subscribe(filter, options, (error, granted, packet) =>
      say('subscribed', { error: failure(error), granted: packet ? packet.granted : (granted || []).map((g) => g.qos) }));
  },
  publish({ topic, payload, options }) {
    client.publish(topic, payload, options, (error) => say('published', { error: failure(error) }));
  },
  end() {
    client.end(false, {}, () => say('ended'));
  },
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on('close', () => process.exit(0));
say('started');
