// Stories told by openid-client 6, each a function of its name (see tests/stock/tests/stock).
import * as client from 'openid-client'

import { approve, person, play, reading, refused, settings, signing } from './person.mjs'

const issuer = new URL(settings.issuer)
const redirect_uri = 'https://partner.example/callback'

async function discovered(authentication, options) {
  const { client_id, client_secret, ...metadata } = settings.client
  authentication ??= client.ClientSecretBasic(client_secret)
  const config = await client.discovery(issuer, client_id, metadata, authentication, options)
  // Every signature is looked at, although TLS already says whose answer it is.
  client.enableNonRepudiationChecks(config)
  return config
}

async function asked(more) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()]
  const parameters = {
    redirect_uri,
    scope: 'openid profile phone offline_access',
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  }
  return { parameters, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } }
}

/** What a sign-in gave, with the claims that the library has checked. */
async function outcome(config, tokens, options) {
  const claims = tokens.claims()
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub, options)
  const { access_token, refresh_token, token_type, scope } = tokens
  return { claims, userinfo, access_token, refresh_token, token_type, scope }
}

async function signed_in(config, more) {
  const { parameters, checks } = await asked(more)
  const at = await person(client.buildAuthorizationUrl(config, parameters))
  return client.authorizationCodeGrant(config, at, checks)
}

/** Of the request that goes by an address, the address of the answer and what to hold it against. */
async function answered(config) {
  const { parameters, checks } = await asked()
  return { checks, at: await person(client.buildAuthorizationUrl(config, parameters)) }
}

/** The library refuses an answer that was tampered with, and takes the true one afterwards. */
async function tampered(name, value) {
  const config = await discovered()
  const { at, checks } = await answered(config)
  const other = new URL(at)
  other.searchParams.set(name, value)
  const refusal = await refused(() => client.authorizationCodeGrant(config, other, checks))
  const tokens = await client.authorizationCodeGrant(config, at, checks)
  return { refusal, claims: tokens.claims() }
}

const bound = async (config) => client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))

await play({
  async signs_in_with_pkce_state_and_nonce() {
    const config = await discovered()
    const { parameters, checks } = await asked({ max_age: 600, acr_values: 'urn:tongban:auth:1' })
    const at = await person(client.buildAuthorizationUrl(config, parameters))
    const tokens = await client.authorizationCodeGrant(config, at, { ...checks, maxAge: 600 })
    return { ...await outcome(config, tokens), at, nonce: checks.expectedNonce }
  },

  async refuses_another_nonce() {
    const config = await discovered()
    const { at, checks } = await answered(config)
    checks.expectedNonce = client.randomNonce()
    return { refusal: await refused(() => client.authorizationCodeGrant(config, at, checks)) }
  },

  refuses_another_state: () => tampered('state', client.randomState()),

  refuses_another_issuer: () => tampered('iss', 'https://id.example'),

  async refuses_metadata_of_another_issuer() {
    const other = new URL(issuer)
    other.pathname = '/elsewhere'
    // The document of the one, asked for in the name of the other.
    const options = { [client.customFetch]: (_, init) => fetch(new URL('/.well-known/openid-configuration', issuer), init) }
    const { client_id, client_secret } = settings.client
    return { refusal: await refused(() => client.discovery(other, client_id, client_secret, undefined, options)) }
  },

  async refuses_a_signature_by_another_key() {
    const config = await discovered()
    const { id_token } = await signed_in(config)
    // A key of the attacker's under the provider's own key id.
    const { kid } = JSON.parse(Buffer.from(id_token.split('.')[0], 'base64url'))
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
    const { publicKey } = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const jwk = await crypto.subtle.exportKey('jwk', publicKey)
    const attacked = await discovered()
    attacked[client.customFetch] = (address, init) => address === attacked.serverMetadata().jwks_uri
      ? Response.json({ keys: [{ ...jwk, kid, use: 'sig', alg: 'RS256' }] })
      : fetch(address, init)
    return { refusal: await refused(() => signed_in(attacked)) }
  },

  async rotates_the_refresh_token() {
    const config = await discovered()
    const first = await signed_in(config)
    const second = await client.refreshTokenGrant(config, first.refresh_token)
    const third = await client.refreshTokenGrant(config, second.refresh_token)
    const told = await outcome(config, { ...third, claims: () => second.claims() })
    const replayed = await refused(() => client.refreshTokenGrant(config, first.refresh_token))
    const after = await refused(() => client.refreshTokenGrant(config, third.refresh_token))
    return { told, tokens: [first, second, third].map((one) => one.refresh_token), replayed, after }
  },

  async signs_in_by_private_key_jwt() {
    const config = await discovered(client.PrivateKeyJwt(await signing()))
    return outcome(config, await signed_in(config))
  },

  async pushes_the_request() {
    const config = await discovered()
    const { parameters, checks } = await asked()
    const at = await person(await client.buildAuthorizationUrlWithPAR(config, parameters))
    return outcome(config, await client.authorizationCodeGrant(config, at, checks))
  },

  async binds_tokens_by_dpop() {
    const config = await discovered()
    const options = { DPoP: await bound(config) }
    const { parameters, checks } = await asked({ dpop_jkt: await options.DPoP.calculateThumbprint() })
    const at = await person(client.buildAuthorizationUrl(config, parameters))
    const tokens = await client.authorizationCodeGrant(config, at, checks, undefined, options)
    const told = await outcome(config, tokens, options)
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, options)
    await client.fetchUserInfo(config, refreshed.access_token, told.claims.sub, options)
    const other = { DPoP: await bound(config) }
    const stolen = await refused(() => client.fetchUserInfo(config, tokens.access_token, told.claims.sub, other))
    const bare = await refused(() => client.fetchUserInfo(config, tokens.access_token, told.claims.sub))
    return { ...told, jkt: await options.DPoP.calculateThumbprint(), stolen, bare }
  },

  async signs_the_request() {
    const config = await discovered()
    const { parameters, checks } = await asked()
    const at = await person(await client.buildAuthorizationUrlWithJAR(config, parameters, await signing()))
    return outcome(config, await client.authorizationCodeGrant(config, at, checks))
  },

  async takes_a_signed_answer() {
    const config = await discovered()
    client.useJwtResponseMode(config)
    const { parameters, checks } = await asked()
    const at = await person(client.buildAuthorizationUrl(config, parameters))
    const tokens = await client.authorizationCodeGrant(config, at, checks)
    const again = await asked()
    const next = await person(client.buildAuthorizationUrl(config, again.parameters))
    again.checks.expectedState = client.randomState()
    const refusal = await refused(() => client.authorizationCodeGrant(config, next, again.checks))
    return { ...await outcome(config, tokens), at, refusal }
  },

  async signs_out() {
    const config = await discovered()
    const tokens = await signed_in(config)
    const state = client.randomState()
    const at = await person(client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token, post_logout_redirect_uri: 'https://partner.example/bye', state }))
    const again = await signed_in(config)
    return { at, state, subjects: [tokens.claims().sub, again.claims().sub], sessions: [tokens.claims().sid, again.claims().sid] }
  },

  async acts_for_itself() {
    const config = await discovered()
    const tokens = await client.clientCredentialsGrant(config, { scope: 'cases' })
    return { ...tokens }
  },

  async introspects_and_revokes() {
    const config = await discovered()
    const tokens = await signed_in(config)
    const before = await client.tokenIntrospection(config, tokens.access_token)
    await client.tokenRevocation(config, tokens.refresh_token)
    const after = await client.tokenIntrospection(config, tokens.access_token)
    const refresh = await refused(() => client.refreshTokenGrant(config, tokens.refresh_token))
    return { before, after, refresh }
  },

  async signs_in_on_a_device() {
    const config = await discovered()
    const told = await client.initiateDeviceAuthorization(config, { scope: 'openid profile' })
    await person(told.verification_uri_complete)
    const tokens = await client.pollDeviceAuthorizationGrant(config, told)
    return outcome(config, tokens)
  },

  async asks_over_the_back_channel() {
    const config = await discovered()
    const told = await client.initiateBackchannelAuthentication(config, {
      scope: 'openid profile', login_hint: settings.phone, binding_message: '1234' })
    await approve(told.auth_req_id)
    const tokens = await client.pollBackchannelAuthenticationGrant(config, told)
    return outcome(config, tokens)
  },

  async keeps_to_fapi2() {
    const config = await discovered(client.PrivateKeyJwt(await signing()))
    const options = { DPoP: await bound(config) }
    const { parameters, checks } = await asked()
    const at = await person(await client.buildAuthorizationUrlWithPAR(config, parameters, options))
    const tokens = await client.authorizationCodeGrant(config, at, checks, undefined, options)
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, options)
    await client.fetchUserInfo(config, refreshed.access_token, tokens.claims().sub, options)
    return outcome(config, tokens, options)
  },

  async signs_messages_as_fapi2() {
    const config = await discovered(client.PrivateKeyJwt(await signing()))
    client.useJwtResponseMode(config)
    const options = { DPoP: await bound(config) }
    const { parameters, checks } = await asked()
    const signed = await client.buildAuthorizationUrlWithJAR(config, parameters, await signing())
    const at = await person(await client.buildAuthorizationUrlWithPAR(config, signed.searchParams, options))
    const tokens = await client.authorizationCodeGrant(config, at, checks, undefined, options)
    return { ...await outcome(config, tokens, options), at }
  },

  async decrypts_the_id_token() {
    const config = await discovered()
    client.enableDecryptingResponses(config, ['A256GCM'], await reading())
    const tokens = await signed_in(config)
    return { ...await outcome(config, tokens), parts: tokens.id_token.split('.').length }
  },

  async takes_signed_userinfo() {
    const config = await discovered()
    return outcome(config, await signed_in(config))
  },

  async takes_code_and_id_token() {
    const config = await discovered()
    client.useCodeIdTokenResponseType(config)
    const { parameters, checks } = await asked()
    const at = await person(client.buildAuthorizationUrl(config, parameters))
    return { ...await outcome(config, await client.authorizationCodeGrant(config, at, checks)), at }
  },

  async registers_itself() {
    const { access_token, metadata } = settings
    const config = await client.dynamicClientRegistration(issuer, metadata, client.ClientSecretBasic(), { initialAccessToken: access_token })
    const { parameters, checks } = await asked({ scope: 'openid profile' })
    const at = await person(client.buildAuthorizationUrl(config, parameters))
    const tokens = await client.authorizationCodeGrant(config, at, checks)
    return { ...await outcome(config, tokens), registered: config.clientMetadata() }
  },
})
