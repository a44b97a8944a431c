// Files on their way: drop, choose, paste; progress, cancel, again. What the
// server would refuse is refused before it is sent.
import { headers } from './api'
import { asFailure, Failure } from './errors'

export interface Limits {
  count: number
  megabytes: number
  types: string[] // endings without dot
}

export interface Upload {
  key: number
  name: string
  size: number
  type: string // as the browser says
  percent: number
  state: 'waiting' | 'sending' | 'done' | 'failed'
  id: string // the server's, once it is done
  failure?: Failure
  preview: string // object URL of a picture, '' = none
}

export type KeptFile = Pick<Upload, 'id' | 'name' | 'size' | 'type'>

export type Refusal = { why: 'count' | 'size' | 'type' | 'empty' | 'gone'; name: string }

/** What stands in the way of a file, undefined when nothing does. */
export function refuse(limits: Limits, file: { name: string; size: number }, have: number): Refusal['why'] | undefined {
  const ending = file.name.includes('.') ? file.name.slice(file.name.lastIndexOf('.') + 1).toLowerCase() : ''
  if (have >= limits.count) return 'count'
  if (limits.types.length > 0 && !limits.types.includes(ending)) return 'type'
  if (file.size > limits.megabytes * 1024 * 1024) return 'size'
  if (file.size === 0) return 'empty'
  return undefined
}

/** A pasted picture has no name of its own: it gets the time. */
export function pastedName(type: string, at: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const ending = { 'image/jpeg': 'jpg', 'image/gif': 'gif', 'image/bmp': 'bmp' }[type] ?? 'png'
  return `pasted-${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}-${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}.${ending}`
}

type Send = (file: File, onProgress: (percent: number) => void, signal: AbortSignal) => Promise<string>

export class Uploads {
  list = $state<Upload[]>([])
  refusals = $state<Refusal[]>([])
  #files = new Map<number, File>()
  #aborts = new Map<number, AbortController>()
  #last = 0
  #send: Send
  limits: Limits

  constructor(limits: Limits, send: Send) {
    this.limits = limits
    this.#send = send
  }

  get busy(): boolean {
    return this.list.some((u) => u.state === 'sending' || u.state === 'waiting')
  }
  get failed(): boolean {
    return this.list.some((u) => u.state === 'failed')
  }
  get ids(): string[] {
    return this.list.filter((u) => u.state === 'done').map((u) => u.id)
  }

  /** Takes files and answers those that are on their way now; what stands in the way of the others is in `refusals`. */
  add(files: Iterable<File>): Upload[] {
    this.refusals = []
    const before = this.#last
    for (let file of files) {
      if (/^image\.(png|jpe?g|gif|bmp)$/.test(file.name)) file = new File([file], pastedName(file.type, new Date()), { type: file.type })
      const why = refuse(this.limits, file, this.list.length)
      if (why !== undefined) {
        this.refusals.push({ why, name: file.name })
        continue
      }
      const key = ++this.#last
      this.#files.set(key, file)
      const preview = file.type.startsWith('image/') ? URL.createObjectURL(file) : ''
      this.list.push({ key, name: file.name, size: file.size, type: file.type, percent: 0, state: 'waiting', id: '', preview })
      void this.#start(key)
    }
    return this.list.filter((u) => u.key > before)
  }

  /** Files that were uploaded before, as a kept draft names them. */
  restore(files: readonly KeptFile[]): void {
    for (const f of files) this.list.push({ ...f, key: ++this.#last, percent: 100, state: 'done', preview: '' })
  }
  /** A kept file that the server has no more: it has to be added again. */
  lose(id: string): void {
    for (const u of this.list.filter((x) => x.id === id)) this.refusals.push({ why: 'gone', name: u.name })
    this.list = this.list.filter((x) => x.id !== id)
  }
  /** What a draft keeps of them: those that are there. */
  get kept(): KeptFile[] {
    return this.list.filter((u) => u.state === 'done').map(({ id, name, size, type }) => ({ id, name, size, type }))
  }

  again(key: number): void {
    void this.#start(key)
  }

  remove(key: number): void {
    this.#aborts.get(key)?.abort()
    const u = this.list.find((u) => u.key === key)
    if (u !== undefined && u.preview !== '') URL.revokeObjectURL(u.preview)
    this.#files.delete(key)
    this.list = this.list.filter((u) => u.key !== key)
    this.refusals = []
  }

  clear(): void {
    for (const u of [...this.list]) this.remove(u.key)
  }

  async #start(key: number): Promise<void> {
    const file = this.#files.get(key)
    if (file === undefined) return
    const abort = new AbortController()
    this.#aborts.set(key, abort)
    this.#change(key, { state: 'sending', percent: 0, failure: undefined })
    try {
      const id = await this.#send(file, (percent) => this.#change(key, { percent }), abort.signal)
      this.#change(key, { state: 'done', percent: 100, id })
    } catch (e) {
      if (!abort.signal.aborted) this.#change(key, { state: 'failed', failure: asFailure(e) })
    } finally {
      this.#aborts.delete(key)
    }
  }

  #change(key: number, change: Partial<Upload>): void {
    const u = this.list.find((u) => u.key === key)
    if (u !== undefined) Object.assign(u, change)
  }
}

/** Sends a form with progress, which fetch does not tell. */
export function sendForm(url: string, fields: Record<string, string>): Send {
  return (file, onProgress, signal) =>
    new Promise((resolve, reject) => {
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.append(name, value)
      form.append('file', file, file.name)
      const x = new XMLHttpRequest()
      x.open('POST', url)
      for (const [name, value] of Object.entries(headers())) x.setRequestHeader(name, value)
      x.responseType = 'json'
      x.upload.onprogress = (e) => e.lengthComputable && onProgress(Math.min(99, Math.floor((e.loaded / e.total) * 100)))
      x.onload = () => {
        const body = (x.response ?? {}) as { accessory_id?: string; error_code?: string; error_msg?: string }
        if (x.status < 400 && body.accessory_id !== undefined) resolve(body.accessory_id)
        else reject(new Failure(body.error_code ?? `HTTP ${x.status}`, Math.max(x.status, 400), body.error_msg ?? '', x.getResponseHeader('X-Request-Id') ?? ''))
      }
      x.onerror = () => reject(new Failure('offline', 0, ''))
      x.onabort = () => reject(new Failure('aborted', 0, ''))
      signal.addEventListener('abort', () => x.abort())
      x.send(form)
    })
}
