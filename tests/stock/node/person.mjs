// How a program of a library speaks with the test that started it: lines of JSON out, answers in.
import { createInterface } from 'node:readline'

export const settings = JSON.parse(process.argv[3])

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function ask(question) {
  process.stdout.write(JSON.stringify(question) + '\n')
  return (await lines.next()).value
}

/** Sends the person's browser to an address; gives the address where that ended. */
export const person = async (address) => new URL(await ask({ open: String(address) }))

/** Has the operator allow a request over the back channel. */
export const approve = (id) => ask({ approve: id })

/** The refusal of an attempt; the story fails if it refuses nothing. */
export async function refused(attempt) {
  try {
    await attempt()
  } catch (error) {
    // A challenge of WWW-Authenticate is a refusal of the provider's.
    const told = error.error ?? (Array.isArray(error.cause) ? error.cause[0].parameters.error : undefined)
    const { code, status, message } = error
    return { code, status, error: told, message, cause: error.cause?.message }
  }
  throw new Error('the library refused nothing')
}

export const der = (pem) => Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')

/** The partner's key, for private_key_jwt and request objects. */
export const signing = async () => ({
  kid: 'signing',
  key: await crypto.subtle.importKey(
    'pkcs8', der(settings.signing), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']),
})

/** The key to which answers are encrypted. */
export const reading = async () => ({
  kid: 'reading',
  alg: 'ECDH-ES',
  key: await crypto.subtle.importKey(
    'pkcs8', der(settings.reading), { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']),
})

/** Runs the story whose name stands in the arguments. */
export async function play(stories) {
  const done = await stories[process.argv[2]]()
  process.stdout.write(JSON.stringify({ done }) + '\n')
  process.exit(0)
}
