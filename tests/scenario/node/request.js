// node request.js NAME: a new P-256 key and a certificate request for it, as PEM.
require('reflect-metadata')
const { webcrypto } = require('node:crypto')
const x509 = require('@peculiar/x509')

x509.cryptoProvider.set(webcrypto)

async function main (name) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`, keys, signingAlgorithm: algorithm
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  console.log(`-----BEGIN PRIVATE KEY-----\n${key.match(/.{1,64}/g).join('\n')}\n-----END PRIVATE KEY-----`)
  console.log(request.toString('pem'))
}

main(process.argv[2])
