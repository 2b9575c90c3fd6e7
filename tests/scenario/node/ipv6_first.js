'use strict';
// Loaded before the drivers: localhost is ::1 and then 127.0.0.1, as in the /etc/hosts that Debian's installer writes,
// and one address is tried, as Node.js 18 does. What would fail on such a machine fails on every one.
const dns = require('dns');
const net = require('net');

const addresses = [{ address: '::1', family: 6 }, { address: '127.0.0.1', family: 4 }];
const lookup = dns.lookup;

if (net.setDefaultAutoSelectFamily) net.setDefaultAutoSelectFamily(false);

dns.lookup = (name, options, callback) => {
  if (name !== 'localhost' || typeof options !== 'object') return lookup(name, options, callback);
  const found = addresses.filter(({ family }) => !options.family || options.family === family);
  return process.nextTick(() =>
    (options.all ? callback(null, found) : callback(null, found[0].address, found[0].family)));
};
