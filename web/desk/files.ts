// Files of a ticket: up with progress, down with the session's header.
import { headers } from '../kit/api'
import { Failure } from '../kit/errors'
import { toast } from '../kit/say.svelte'
import { sayAll } from '../kit/text'
import type { S } from './data'

export type File_ = S['Attachment']

/** Whether a file is a picture that the page shows by itself. */
export const pictured = (f: File_): boolean => /^image\/(png|jpeg|gif|webp|bmp)$/.test(f.media_type) && f.size < 3_000_000 && (f.scan === 'off' || f.scan === 'clean')

export function upload(number: string) {
  return (file: File, onProgress: (percent: number) => void, signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      const form = new FormData()
      form.append('file', file, file.name)
      const x = new XMLHttpRequest()
      x.open('POST', `/desk/v1/tickets/${encodeURIComponent(number)}/attachments`)
      for (const [name, value] of Object.entries(headers())) x.setRequestHeader(name, value)
      x.responseType = 'json'
      x.upload.onprogress = (e) => e.lengthComputable && onProgress(Math.min(99, Math.floor((e.loaded / e.total) * 100)))
      x.onload = () => {
        const body = (x.response ?? {}) as { id?: string; error_code?: string; error_msg?: string }
        if (x.status < 400 && body.id !== undefined) resolve(body.id)
        else reject(new Failure(body.error_code ?? `HTTP ${x.status}`, Math.max(x.status, 400), body.error_msg ?? '', x.getResponseHeader('X-Request-Id') ?? ''))
      }
      x.onerror = () => reject(new Failure('offline', 0, ''))
      x.onabort = () => reject(new Failure('aborted', 0, ''))
      signal.addEventListener('abort', () => x.abort())
      x.send(form)
    })
}

export async function bytes(number: string, file: File_, signal?: AbortSignal): Promise<Blob> {
  const r = await fetch(`/desk/v1/tickets/${encodeURIComponent(number)}/attachments/${encodeURIComponent(file.id)}`, { headers: headers(), signal })
  if (!r.ok) {
    const body = (await r.json().catch(() => ({}))) as { error_code?: string; error_msg?: string }
    throw new Failure(body.error_code ?? `HTTP ${r.status}`, r.status, body.error_msg ?? '', r.headers.get('X-Request-Id') ?? '')
  }
  return r.blob()
}

/** Lets the browser save what was fetched. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  const a = document.createElement('a')
  a.href = url
  a.download = name
  a.target = '_self'
  document.body.append(a)
  a.click()
  a.remove()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

export async function download(number: string, file: File_): Promise<void> {
  try {
    save(await bytes(number, file), file.name)
  } catch (e) {
    toast(sayAll(e), { bad: true })
  }
}

export function size(n: number): string {
  return n < 1024 ? `${n} B` : n < 1024 * 1024 ? `${Math.round(n / 1024)} KB` : `${(n / 1024 / 1024).toFixed(1)} MB`
}
