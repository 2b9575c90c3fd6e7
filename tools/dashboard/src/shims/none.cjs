// Stands for modules that MQTT.js needs under Node.js alone (see build.js): never called in a browser.
module.exports = {};
