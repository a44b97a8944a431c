// Failures as the user reads them: a plain sentence by the code, the server's
// own text as the detail, and the request's id to quote.

export class Failure extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
    readonly request: string = '',
    readonly retryAfter: number = 0, // seconds; 0 = not said
  ) {
    super(message)
    this.name = 'Failure'
  }

  get passing(): boolean {
    return this.status === 0 || this.status === 429 || (this.status >= 500 && this.status !== 501)
  }
}

export const offline = 'offline'
export const slow = 'slow'

export function asFailure(e: unknown): Failure {
  if (e instanceof Failure) return e
  if (e instanceof DOMException && (e.name === 'TimeoutError' || e.name === 'AbortError')) return new Failure(slow, 0, e.message)
  if (e instanceof TypeError) return new Failure(offline, 0, e.message)
  return new Failure('unknown', 0, e instanceof Error ? e.message : String(e))
}

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

function errorOf(body: unknown): { code: string; text: string } | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const b = body as { error_code?: unknown; error_msg?: unknown }
  if (typeof b.error_code !== 'string' || b.error_code === '') return undefined
  return { code: b.error_code, text: typeof b.error_msg === 'string' ? b.error_msg : '' }
}

/**
 * The answer of a call, or its Failure: a status of 400 or more as well as an
 * error code inside a 200.
 */
export async function unwrap<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch (e) {
    throw asFailure(e)
  }
  const { response } = answer
  const said = errorOf(answer.error) ?? errorOf(answer.data)
  if (said === undefined && response.ok) return answer.data as T
  const wait = Number(response.headers.get('Retry-After') ?? 0)
  throw new Failure(
    said?.code ?? `HTTP ${response.status}`,
    response.ok ? 400 : response.status,
    said?.text ?? '',
    response.headers.get('X-Request-Id') ?? '',
    Number.isFinite(wait) ? wait : 0,
  )
}
