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

// What came as text and must go as bytes.
function bytes(properties) {
  if (properties && properties.correlationData) {
    properties.correlationData = Buffer.from(properties.correlationData, 'base64');
  }
}

const commands = {
  connect({ url, cafile, options }) {
    if (options.will) {
      options.will.payload = Buffer.from(options.will.payload);
      bytes(options.will.properties);
    }
    client = mqtt.connect(url, { ca: fs.readFileSync(cafile), reconnectPeriod: 0, connectTimeout: 15000, ...options });
    client.on('connect', (connack) => say('connect', { connack }));
    client.on('error', (error) => say('error', failure(error)));
    client.on('close', () => say('close'));
    client.on('disconnect', (packet) => say('disconnect', { reason: packet.reasonCode,
                                                                  properties: packet.properties }));
    client.on('message', (topic, payload, packet) =>
      say('message', { topic, payload: payload.toString('base64'), qos: packet.qos, retain: packet.retain,
                       properties: packet.properties }));
  },
  subscribe({ filter, options }) {
    client.subscribe(filter, options, (error, granted, packet) =>
      say('subscribed', { error: failure(error), granted: packet ? packet.granted : (granted || []).map((g) => g.qos),
                          properties: packet && packet.properties }));
  },
  publish({ topic, payload, options }) {
    bytes(options.properties);
    client.publish(topic, payload, options, (error, packet) =>
      say('published', { error: failure(error), reason: packet && packet.reasonCode,
                         properties: packet && packet.properties }));
  },
  unsubscribe({ filter }) {
    client.unsubscribe(filter, (error) => say('unsubscribed', { error: failure(error) }));
  },
  end({ options }) {
    client.end(false, options || {}, () => say('ended'));
  },
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on('close', () => process.exit(0));
say('started');
