// What MQTT.js expects of Node.js: put where these names are used.
export { Buffer } from 'buffer';
export { default as process } from 'process';
