// Live events: one stream per browser, whoever holds the lock has it and tells
// the other tabs. Without a stream the page asks again by itself.

export interface LiveEvent {
  kind: string
  data: { ticket?: string; message?: string; authorization?: string; revision?: number; [key: string]: unknown }
}

export const kinds = ['ticket.changed', 'message.new', 'message.withdrawn', 'auth.changed', 'presence', 'queue.counts', 'sla.due', 'notice', 'reset'] as const

type Listener = (e: LiveEvent) => void

/** Follows the events until the returned function is called. `onState` tells whether the stream stands. */
export function follow(url: string, listener: Listener, onState: (live: boolean) => void = () => undefined): () => void {
  const channel = new BroadcastChannel(`casemate.live.${url}`)
  const end = new AbortController()
  let source: EventSource | undefined
  let hidden: ReturnType<typeof setTimeout> | undefined
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
    source = new EventSource(url)
    source.onopen = () => tell(true)
    source.onerror = () => tell(false)
    for (const kind of kinds) {
      source.addEventListener(kind, (m) => {
        let data: LiveEvent['data'] = {}
        try {
          data = JSON.parse((m as MessageEvent<string>).data) as LiveEvent['data']
        } catch {
          // an event without data still says that something happened
        }
        const event = { kind, data }
        listener(event)
        channel.postMessage({ event })
      })
    }
  }
  const lead = () => {
    void navigator.locks
      .request(`casemate.live.${url}`, { signal: end.signal }, () => {
        open()
        return new Promise<void>((resolve) => (release = resolve))
      })
      .catch(() => undefined) // aborted
  }
  // A tab that nobody has looked at for five minutes lets the stream go.
  const seen = () => {
    clearTimeout(hidden)
    if (document.visibilityState === 'hidden') {
      hidden = setTimeout(
        () => {
          source?.close()
          source = undefined
          release?.()
          release = undefined
        },
        5 * 60_000,
      )
    } else if (source === undefined) {
      lead()
      listener({ kind: 'reset', data: {} })
    }
  }
  if (document.visibilityState === 'hidden') seen()
  else lead()
  document.addEventListener('visibilitychange', seen)
  return () => {
    document.removeEventListener('visibilitychange', seen)
    clearTimeout(hidden)
    end.abort()
    source?.close()
    release?.()
    channel.close()
  }
}
