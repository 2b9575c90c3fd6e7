'use strict';
// MQTT.js clients: a JSON command on each line of stdin, a JSON event on each line of stdout. Where there are several
// clients, each has an id, and its commands and events carry it.
const fs = require('fs');
const readline = require('readline');
const mqtt = require('mqtt');

const clients = {};

function say(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

function sayOf(id) {
  return (event, fields) => say(event, { id, ...fields });
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
  connect({ id, url, cafile, options }) {
    const say = sayOf(id);
    if (options.will) {
      options.will.payload = Buffer.from(options.will.payload);
      bytes(options.will.properties);
    }
    // The brokers listen on 127.0.0.1, and Node.js 18 dials the first address of a name only, which may be ::1.
    const client = mqtt.connect(url, { ca: fs.readFileSync(cafile), reconnectPeriod: 0, connectTimeout: 60000,
                                       // mutant: node_takes_the_first_address
                                       family: 4, ...options });
    clients[id] = client;
    client.on('connect', (connack) => say('connect', { connack }));
    client.on('error', (error) => say('error', failure(error)));
    client.on('close', () => say('close'));
    client.on('disconnect', (packet) =>
      say('disconnect', { reason: packet.reasonCode, properties: packet.properties }));
    client.on('message', (topic, payload, packet) =>
      say('message', { topic, payload: payload.toString('base64'), qos: packet.qos, retain: packet.retain,
                       properties: packet.properties }));
  },
  subscribe({ id, filter, options }) {
    clients[id].subscribe(filter, options, (error, granted, packet) =>
      sayOf(id)('subscribed', { error: failure(error), properties: packet && packet.properties,
                                granted: packet ? packet.granted : (granted || []).map((g) => g.qos) }));
  },
  publish({ id, topic, payload, options }) {
    bytes(options.properties);
    clients[id].publish(topic, payload, options, (error, packet) =>
      sayOf(id)('published', { error: failure(error), reason: packet && packet.reasonCode,
                               properties: packet && packet.properties }));
  },
  unsubscribe({ id, filter }) {
    clients[id].unsubscribe(filter, (error) => sayOf(id)('unsubscribed', { error: failure(error) }));
  },
  end({ id, options }) {
    clients[id].end(false, options || {}, () => sayOf(id)('ended'));
  },
  // The network goes, and nothing is said.
  lose({ id }) {
    clients[id].end(true);
    delete clients[id];
  },
};

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    commands[command.do](command);
  })
  .on('close', () => process.exit(0));
say('started');
