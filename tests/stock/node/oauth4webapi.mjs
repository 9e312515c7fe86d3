// Stories told by oauth4webapi 3: every request and every check is a call of its own.
import * as oauth from 'oauth4webapi'

import { approve, person, play, refused, settings, signing } from './person.mjs'

const issuer = new URL(settings.issuer)
const redirect_uri = 'https://partner.example/callback'
const { client } = settings

const discovered = async () =>
  oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))

/** Client authentication as it is registered. */
const basic = () => oauth.ClientSecretBasic(client.client_secret)
const by_key = async () => oauth.PrivateKeyJwt(await signing())

async function asked(more) {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const parameters = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri,
    scope: 'openid profile phone offline_access',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  })
  return { verifier, state, nonce, parameters }
}

/** The person's answer to a request that goes by an address. */
async function answered(as, parameters) {
  const address = new URL(as.authorization_endpoint)
  for (const [name, value] of parameters) address.searchParams.set(name, value)
  return person(address)
}

/** Once more with the nonce that the provider asked for (RFC 9449 section 8). */
async function with_nonce(request) {
  try {
    return await request()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return request()
  }
}

/** Redeems the code of checked parameters, and checks the ID token with its signature. */
async function redeemed(as, authentication, parameters, { verifier, nonce }, options, maxAge) {
  return with_nonce(async () => {
    const response = await oauth.authorizationCodeGrantRequest(
      as, client, authentication, parameters, redirect_uri, verifier, options)
    const tokens = await oauth.processAuthorizationCodeResponse(
      as, client, response, { expectedNonce: nonce, maxAge, requireIdToken: true })
    await oauth.validateApplicationLevelSignature(as, response)
    return tokens
  })
}

async function signed_in(as, authentication, more) {
  const request = await asked(more)
  const at = await answered(as, request.parameters)
  const parameters = oauth.validateAuthResponse(as, client, at, request.state)
  return redeemed(as, authentication, parameters, request)
}

async function known(as, access_token, sub, options) {
  return with_nonce(async () => oauth.processUserInfoResponse(
    as, client, sub, await oauth.userInfoRequest(as, client, access_token, options)))
}

/** What a sign-in gave, with the claims that the library has checked. */
async function outcome(as, tokens, options) {
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const userinfo = await known(as, tokens.access_token, claims.sub, options)
  const { access_token, refresh_token, token_type, scope } = tokens
  return { claims, userinfo, access_token, refresh_token, token_type, scope }
}

async function refreshed(as, authentication, token, options) {
  return with_nonce(async () => oauth.processRefreshTokenResponse(
    as, client, await oauth.refreshTokenGrantRequest(as, client, authentication, token, options)))
}

/** The library refuses an answer that was tampered with, and takes the true one afterwards. */
async function tampered(name, value) {
  const as = await discovered()
  const request = await asked()
  const at = await answered(as, request.parameters)
  const other = new URL(at)
  other.searchParams.set(name, value)
  const refusal = await refused(() => oauth.validateAuthResponse(as, client, other, request.state))
  const parameters = oauth.validateAuthResponse(as, client, at, request.state)
  const tokens = await redeemed(as, basic(), parameters, request)
  return { refusal, claims: oauth.getValidatedIdTokenClaims(tokens) }
}

const bound = async () => oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

/** Pushes a request; gives the person's answer to its reference. */
async function pushed(as, authentication, parameters, options) {
  const { request_uri } = await with_nonce(async () => oauth.processPushedAuthorizationResponse(as, client,
    await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, options)))
  return answered(as, new URLSearchParams({ client_id: client.client_id, request_uri }))
}

await play({
  async signs_in_with_pkce_state_and_nonce() {
    const as = await discovered()
    const request = await asked({ max_age: 600, acr_values: 'urn:tongban:auth:1' })
    const at = await answered(as, request.parameters)
    const parameters = oauth.validateAuthResponse(as, client, at, request.state)
    const tokens = await redeemed(as, basic(), parameters, request, undefined, 600)
    return { ...await outcome(as, tokens), at, nonce: request.nonce }
  },

  async refuses_another_nonce() {
    const as = await discovered()
    const request = await asked()
    const at = await answered(as, request.parameters)
    const parameters = oauth.validateAuthResponse(as, client, at, request.state)
    const wrong = { ...request, nonce: oauth.generateRandomNonce() }
    return { refusal: await refused(() => redeemed(as, basic(), parameters, wrong)) }
  },

  refuses_another_state: () => tampered('state', oauth.generateRandomState()),

  refuses_another_issuer: () => tampered('iss', 'https://id.example'),

  async refuses_metadata_of_another_issuer() {
    const response = await oauth.discoveryRequest(issuer)
    return { refusal: await refused(() => oauth.processDiscoveryResponse(new URL('https://id.example'), response)) }
  },

  async rotates_the_refresh_token() {
    const as = await discovered()
    const first = await signed_in(as, basic())
    const second = await refreshed(as, basic(), first.refresh_token)
    const third = await refreshed(as, basic(), second.refresh_token)
    const { sub } = oauth.getValidatedIdTokenClaims(second)
    const told = { userinfo: await known(as, third.access_token, sub) }
    const replayed = await refused(() => refreshed(as, basic(), first.refresh_token))
    const after = await refused(() => refreshed(as, basic(), third.refresh_token))
    return { told, tokens: [first, second, third].map((one) => one.refresh_token), replayed, after }
  },

  async signs_in_by_private_key_jwt() {
    const as = await discovered()
    return outcome(as, await signed_in(as, await by_key()))
  },

  async pushes_the_request() {
    const as = await discovered()
    const request = await asked()
    const at = await pushed(as, basic(), request.parameters)
    const parameters = oauth.validateAuthResponse(as, client, at, request.state)
    return outcome(as, await redeemed(as, basic(), parameters, request))
  },

  async binds_tokens_by_dpop() {
    const as = await discovered()
    const options = { DPoP: await bound() }
    const jkt = await options.DPoP.calculateThumbprint()
    const request = await asked({ dpop_jkt: jkt })
    const at = await answered(as, request.parameters)
    const parameters = oauth.validateAuthResponse(as, client, at, request.state)
    const tokens = await redeemed(as, basic(), parameters, request, options)
    const told = await outcome(as, tokens, options)
    const next = await refreshed(as, basic(), tokens.refresh_token, options)
    await known(as, next.access_token, told.claims.sub, options)
    const other = { DPoP: await bound() }
    const stolen = await refused(() => known(as, tokens.access_token, told.claims.sub, other))
    const bare = await refused(() => known(as, tokens.access_token, told.claims.sub))
    return { ...told, jkt, stolen, bare }
  },

  async signs_the_request() {
    const as = await discovered()
    const request = await asked()
    const object = await oauth.issueRequestObject(as, client, request.parameters, await signing())
    const at = await answered(as, new URLSearchParams({ client_id: client.client_id, request: object }))
    const parameters = oauth.validateAuthResponse(as, client, at, request.state)
    return outcome(as, await redeemed(as, basic(), parameters, request))
  },

  async takes_a_signed_answer() {
    const as = await discovered()
    const request = await asked({ response_mode: 'jwt' })
    const at = await answered(as, request.parameters)
    const refusal = await refused(() =>
      oauth.validateJwtAuthResponse(as, client, at, oauth.generateRandomState()))
    const parameters = await oauth.validateJwtAuthResponse(as, client, at, request.state)
    return { ...await outcome(as, await redeemed(as, basic(), parameters, request)), at, refusal }
  },

  async signs_out() {
    const as = await discovered()
    const tokens = await signed_in(as, basic())
    const address = new URL(as.end_session_endpoint)
    const state = oauth.generateRandomState()
    address.searchParams.set('id_token_hint', tokens.id_token)
    address.searchParams.set('post_logout_redirect_uri', 'https://partner.example/bye')
    address.searchParams.set('state', state)
    const at = await person(address)
    const claims = [tokens, await signed_in(as, basic())].map(oauth.getValidatedIdTokenClaims)
    return { at, state, subjects: claims.map((one) => one.sub), sessions: claims.map((one) => one.sid) }
  },

  async acts_for_itself() {
    const as = await discovered()
    const response = await oauth.clientCredentialsGrantRequest(as, client, basic(), { scope: 'cases' })
    return oauth.processClientCredentialsResponse(as, client, response)
  },

  async introspects_and_revokes() {
    const as = await discovered()
    const tokens = await signed_in(as, basic())
    const introspected = async () => oauth.processIntrospectionResponse(
      as, client, await oauth.introspectionRequest(as, client, basic(), tokens.access_token))
    const before = await introspected()
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(as, client, basic(), tokens.refresh_token))
    const after = await introspected()
    const refresh = await refused(() => refreshed(as, basic(), tokens.refresh_token))
    return { before, after, refresh }
  },

  /** Introspection as a signed JWT (RFC 9701), its signature checked. */
  async introspects_into_a_signed_answer() {
    const as = await discovered()
    const tokens = await signed_in(as, basic())
    const response = await oauth.introspectionRequest(
      as, client, basic(), tokens.access_token, { requestJwtResponse: true })
    const told = await oauth.processIntrospectionResponse(as, client, response)
    await oauth.validateApplicationLevelSignature(as, response)
    return { told, type: response.headers.get('content-type') }
  },

  /** Access tokens as a resource server looks at them (RFC 9068). */
  async proves_its_access_tokens_to_a_resource() {
    const as = await discovered()
    const { access_token } = await signed_in(as, basic())
    const request = (token) => new Request('https://partner.example/api', { headers: { authorization: `Bearer ${token}` } })
    const claims = await oauth.validateJwtAccessToken(as, request(access_token), settings.issuer)
    const audience = await refused(() =>
      oauth.validateJwtAccessToken(as, request(access_token), 'https://other.example'))
    const [head, body, signature] = access_token.split('.')
    const forged = { ...JSON.parse(Buffer.from(body, 'base64url')), scope: 'openid cases' }
    const altered = [head, Buffer.from(JSON.stringify(forged)).toString('base64url'), signature].join('.')
    const signature_ = await refused(() => oauth.validateJwtAccessToken(as, request(altered), settings.issuer))
    return { claims, audience, signature: signature_ }
  },

  async signs_in_on_a_device() {
    const as = await discovered()
    const parameters = new URLSearchParams({ scope: 'openid profile' })
    const told = await oauth.processDeviceAuthorizationResponse(as, client,
      await oauth.deviceAuthorizationRequest(as, client, basic(), parameters))
    const ask = async () => {
      const response = await oauth.deviceCodeGrantRequest(as, client, basic(), told.device_code)
      return oauth.processDeviceCodeResponse(as, client, response)
    }
    const waiting = await refused(ask)
    await person(told.verification_uri_complete)
    await new Promise((resolve) => setTimeout(resolve, told.interval * 1000))
    return { ...await outcome(as, await ask()), waiting }
  },

  async asks_over_the_back_channel() {
    const as = await discovered()
    const parameters = { scope: 'openid profile', login_hint: settings.phone, binding_message: '1234' }
    const told = await oauth.processBackchannelAuthenticationResponse(as, client,
      await oauth.backchannelAuthenticationRequest(as, client, basic(), parameters))
    await approve(told.auth_req_id)
    const tokens = await oauth.processBackchannelAuthenticationGrantResponse(as, client,
      await oauth.backchannelAuthenticationGrantRequest(as, client, basic(), told.auth_req_id))
    return outcome(as, tokens)
  },

  async keeps_to_fapi2() {
    const as = await discovered()
    const options = { DPoP: await bound() }
    const request = await asked()
    const at = await pushed(as, await by_key(), request.parameters, options)
    const parameters = oauth.validateAuthResponse(as, client, at, request.state)
    const tokens = await redeemed(as, await by_key(), parameters, request, options)
    const next = await refreshed(as, await by_key(), tokens.refresh_token, options)
    await known(as, next.access_token, oauth.getValidatedIdTokenClaims(tokens).sub, options)
    return outcome(as, tokens, options)
  },

  async signs_messages_as_fapi2() {
    const as = await discovered()
    const options = { DPoP: await bound() }
    const request = await asked({ response_mode: 'jwt' })
    const object = await oauth.issueRequestObject(as, client, request.parameters, await signing())
    const at = await pushed(as, await by_key(), new URLSearchParams({ request: object }), options)
    const parameters = await oauth.validateJwtAuthResponse(as, client, at, request.state)
    const tokens = await redeemed(as, await by_key(), parameters, request, options)
    return { ...await outcome(as, tokens, options), at }
  },

  async takes_code_and_id_token() {
    const as = await discovered()
    const request = await asked({ response_type: 'code id_token' })
    const at = await answered(as, request.parameters)
    const parameters = await oauth.validateCodeIdTokenResponse(as, client, at, request.nonce, request.state)
    return { ...await outcome(as, await redeemed(as, basic(), parameters, request)), at }
  },
})
