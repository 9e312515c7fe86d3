// A partner that signs and checks by SM2 with a library of npm. No OpenID Connect library knows the
// algorithm, so that the flow is spelled out here.
import { createHash, randomBytes } from 'node:crypto'
import sm from 'sm-crypto'

import { person, play, refused, settings } from './person.mjs'

const { sm2, sm3 } = sm
const redirect_uri = 'https://partner.example/callback'
const { client } = settings

const plain = (bytes) => Buffer.from(bytes).toString('base64url')
const hex = (text) => Buffer.from(text, 'base64url').toString('hex')
const read = (part) => JSON.parse(Buffer.from(part, 'base64url'))
const now = () => Math.floor(Date.now() / 1000)

/** A key of the curve as a member of a JWK set. */
const jwk = (point) => ({
  kty: 'EC', crv: 'sm2p256v1', alg: 'SGD_SM3_SM2', use: 'sig', kid: 'gm',
  x: plain(Buffer.from(point.slice(2, 66), 'hex')), y: plain(Buffer.from(point.slice(66), 'hex')),
})

function signed(claims, secret = settings.secret) {
  const head = plain(JSON.stringify({ alg: 'SGD_SM3_SM2', kid: 'gm', typ: 'JWT' }))
  const text = `${head}.${plain(JSON.stringify(claims))}`
  return `${text}.${plain(Buffer.from(sm2.doSignature(text, secret, { hash: true }), 'hex'))}`
}

/** The claims of a token that the provider's key signed. */
function believed(token, keys) {
  const [head, body, signature] = token.split('.')
  const { alg, kid } = read(head)
  const key = keys.find((key) => key.kid === kid && key.crv === 'sm2p256v1')
  if (alg !== 'SGD_SM3_SM2' || !key) throw new Error(`signed by ${alg}`)
  const point = `04${hex(key.x)}${hex(key.y)}`
  if (!sm2.doVerifySignature(`${head}.${body}`, hex(signature), point, { hash: true })) {
    throw new Error('the signature is wrong')
  }
  return read(body)
}

async function answer(address, options) {
  const response = await fetch(address, options)
  const text = await response.text()
  const error = response.ok ? undefined : JSON.parse(text).error
  if (error) throw Object.assign(new Error(error), { error, status: response.status })
  return text
}

const json = async (address, options) => JSON.parse(await answer(address, options))

const assertion = (secret) => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: signed({
    iss: client.client_id, sub: client.client_id, aud: settings.issuer,
    jti: randomBytes(12).toString('hex'), iat: now(), exp: now() + 60,
  }, secret),
})

const post = (address, fields) => json(address, { method: 'POST', body: new URLSearchParams(fields) })

await play({
  /** A pair: the secret half for the program, the other for the registration. */
  async makes_a_key() {
    const { privateKey, publicKey } = sm2.generateKeyPairHex()
    return { secret: privateKey, jwk: jwk(publicKey) }
  },

  async signs_in_by_sm2() {
    const as = await json(`${settings.issuer}/.well-known/openid-configuration`)
    const { keys } = await json(as.sm2_jwks_uri)
    const [verifier, nonce, state] = [0, 1, 2].map(() => randomBytes(32).toString('base64url'))
    const request = signed({
      iss: client.client_id, aud: settings.issuer, client_id: client.client_id, redirect_uri,
      response_type: 'code', scope: 'openid profile phone', state, nonce, exp: now() + 60,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    })
    const address = new URL(as.authorization_endpoint)
    address.search = new URLSearchParams({
      client_id: client.client_id, response_type: 'code', scope: 'openid', request })
    const at = (await person(address)).searchParams
    if (at.get('state') !== state || at.get('iss') !== settings.issuer) throw new Error(`${at}`)
    const fields = { grant_type: 'authorization_code', code: at.get('code'), redirect_uri,
      code_verifier: verifier }
    const stranger = sm2.generateKeyPairHex().privateKey
    const unknown = await refused(() => post(as.token_endpoint, { ...fields, ...assertion(stranger) }))
    const tokens = await post(as.token_endpoint, { ...fields, ...assertion() })
    const claims = believed(tokens.id_token, keys)
    // The left half of the hash that goes with the signature (OpenID Connect Core 3.1.3.6).
    const half = plain(Buffer.from(sm3(tokens.access_token), 'hex').subarray(0, 16))
    const [head, , signature] = tokens.id_token.split('.')
    const other = plain(JSON.stringify({ ...claims, sub: 'another' }))
    const altered = await refused(async () => believed(`${head}.${other}.${signature}`, keys))
    const headers = { authorization: `Bearer ${tokens.access_token}` }
    const userinfo = believed(await answer(as.userinfo_endpoint, { headers }), keys)
    const offered = as.id_token_signing_alg_values_supported
    return { claims, userinfo, nonce, half, unknown, altered, offered }
  },
})
