// Live events: one stream per browser, whoever holds the lock has it and tells
// the other tabs. Without a stream the page asks again by itself.

export interface LiveEvent {
  kind: string
  data: { ticket?: string; message?: string; authorization?: string; revision?: number; [key: string]: unknown }
}

export const kinds = ['ticket.changed', 'message.new', 'message.withdrawn', 'auth.changed', 'presence', 'queue.counts', 'sla.due', 'notice', 'reset'] as const

const pause = () => 5000 + Math.random() * 5000 // ms until a stream that was refused is asked for again; not all browsers at once

type Listener = (e: LiveEvent) => void

/** Follows the events until the returned function is called. `onState` tells whether the stream stands. */
export function follow(url: string, listener: Listener, onState: (live: boolean) => void = () => undefined): () => void {
  const channel = new BroadcastChannel(`casemate.live.${url}`)
  let source: EventSource | undefined
  let hidden: ReturnType<typeof setTimeout> | undefined
  let again: ReturnType<typeof setTimeout> | undefined
  let release: (() => void) | undefined

  channel.onmessage = (m: MessageEvent<{ event?: LiveEvent; live?: boolean }>) => {
    if (m.data.event !== undefined) listener(m.data.event)
    if (m.data.live !== undefined) onState(m.data.live)
  }
  const tell = (live: boolean) => {
    onState(live)
    channel.postMessage({ live })
  }
  const open = () => {
    const own = (source = new EventSource(url))
    own.onopen = () => tell(true)
    own.onerror = () => {
      tell(false)
      // An answer that is no stream (a restart behind a proxy) ends it for the browser, not for us.
      if (own.readyState !== EventSource.CLOSED || source !== own) return
      clearTimeout(again)
      again = setTimeout(() => source === own && (open(), said()), pause())
    }
    for (const kind of kinds) {
      own.addEventListener(kind, (m) => {
        let data: LiveEvent['data'] = {}
        try {
          data = JSON.parse((m as MessageEvent<string>).data) as LiveEvent['data']
        } catch {
          // an event without data still says that something happened
        }
        all({ kind, data })
      })
    }
  }
  const all = (event: LiveEvent) => {
    listener(event)
    channel.postMessage({ event })
  }
  // The new stream knows of nothing that came between.
  const said = () => source?.addEventListener('open', () => all({ kind: 'reset', data: {} }), { once: true })
  let line: AbortController | undefined // this tab holds the stream, or stands in line for it
  const lead = () => {
    const place = (line = new AbortController())
    const name = `casemate.live.${url}`
    const hold = (waited: boolean) => {
      if (line !== place) return
      open()
      if (waited) said() // another tab had it until now
      return new Promise<void>((resolve) => (release = resolve))
    }
    void (async () => {
      let taken = false
      await navigator.locks.request(name, { ifAvailable: true }, (lock) => ((taken = lock === null) ? undefined : hold(false)))
      if (taken && line === place) await navigator.locks.request(name, { signal: place.signal }, () => hold(true))
    })().catch(() => undefined) // aborted
  }
  const leave = () => {
    line?.abort()
    line = undefined
    clearTimeout(again)
    source?.close()
    source = undefined
    release?.()
    release = undefined
  }
  // A tab that nobody has looked at for five minutes lets the stream go, and its place in the line.
  const seen = () => {
    clearTimeout(hidden)
    if (document.visibilityState === 'hidden') hidden = setTimeout(leave, 5 * 60_000)
    else if (line === undefined) {
      lead()
      listener({ kind: 'reset', data: {} })
    }
  }
  lead()
  if (document.visibilityState === 'hidden') seen()
  document.addEventListener('visibilitychange', seen)
  return () => {
    document.removeEventListener('visibilitychange', seen)
    clearTimeout(hidden)
    leave()
    channel.close()
  }
}
