// A file that needs the session's header: fetched, then saved.
import { headers } from '../../../kit/api'
import { asFailure, Failure } from '../../../kit/errors'

export async function download(path: string, name: string): Promise<void> {
  let r: Response
  try {
    r = await fetch(path, { headers: headers() })
  } catch (e) {
    throw asFailure(e)
  }
  if (!r.ok) {
    const body = (await r.json().catch(() => ({}))) as { error_code?: string; error_msg?: string }
    throw new Failure(body.error_code ?? `HTTP ${r.status}`, r.status, body.error_msg ?? '', r.headers.get('X-Request-Id') ?? '')
  }
  const url = URL.createObjectURL(await r.blob())
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.target = '_self'
  document.body.append(a)
  a.click()
  a.remove()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
