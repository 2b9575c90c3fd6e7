'use strict';
// The npm package hemtjanst over MQTT.js, as a provider (its Client) or an actor (its Server): a JSON command on each
// line of stdin, a JSON event on each line of stdout.
const fs = require('fs');
const readline = require('readline');
const mqtt = require('mqtt');
const hemtjanst = require('hemtjanst');

let client;
let manager;
const devices = {};

function say(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');
}

function watch(device) {
  const topic = device.topicName();
  devices[topic] = device;
  for (const feature of Object.keys(device.getFeatures())) {
    device.onSet(feature, (_, name, value) => say('set', { topic, feature: name, value }));
    device.onUpdate(feature, (_, name, value) => say('get', { topic, feature: name, value }));
  }
  say('device', { topic, name: device.getName(), type: device.getType() });
}

const commands = {
  connect({ role, url, cafile, options }) {
    client = mqtt.connect(url, { ca: fs.readFileSync(cafile), reconnectPeriod: 0, connectTimeout: 60000, family: 4, ...options,
                                 will: { topic: 'leave', payload: Buffer.from(options.clientId), qos: 1 } });
    client.on('connect', () => say('connect'));
    client.on('error', (error) => say('error', { message: error.message, code: error.code }));
    client.on('close', () => say('close'));
    client.on('message', (topic, payload) => say('message', { topic, payload: payload.toString() }));
    manager = role === 'actor' ? new hemtjanst.Server(client) : new hemtjanst.Client(client);
    if (role === 'actor') {
      manager.on('device', watch);
      client.subscribe('leave', { qos: 1 });
      // The package takes a `#` for one character, so that what it subscribed to does not find its way in.
      client.on('message', (topic, payload) => {
        const root = topic.substring('announce/'.length);
        if (topic.startsWith('announce/') && root.length > 1) manager.onAnnounce(root, payload.toString());
      });
    }
  },
  device({ topic, meta }) {
    const device = new hemtjanst.Device(topic, meta);
    manager.AddDevice(device);
    client.unsubscribe('nothing', () => watch(device)); // answered when what the package subscribed to is
  },
  update({ topic, feature, value }) {
    devices[topic].update(feature, value, (error) => say('updated', { error: error ? error.message : null }));
  },
  set({ topic, feature, value }) {
    devices[topic].set(feature, value, (error) => say('sent', { error: error ? error.message : null }));
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
