// Live events: one stream per browser, whoever holds the lock has it and tells
// the other tabs. Without a stream the page asks again by itself.

export interface LiveEvent {
  kind: string
  data: { ticket?: string; message?: string; authorization?: string; revision?: number; [key: string]: unknown }
}

export const kinds = ['ticket.changed', 'message.new', 'message.withdrawn', 'auth.changed', 'presence', 'queue.counts', 'sla.due', 'notice', 'reset'] as const

const pause = () => 5000 + Math.random() * 5000 // ms until a stream that was refused is asked for again; not all browsers at once

const grace = 2000 // ms beyond two signs of life that did not come

type Listener = (e: LiveEvent) => void

/**
 * Follows the events until the returned function is called. `onState` tells whether
 * the stream stands, and of one that does not whether the server fell silent in it.
 */
export function follow(url: string, listener: Listener, onState: (live: boolean, silent?: boolean) => void = () => undefined): () => void {
  const channel = new BroadcastChannel(`casemate.live.${url}`)
  let source: EventSource | undefined
  let seenId = '' // the event up to which all were told
  let every = 15_000 // ms between two signs of life, as the server says
  let silence: ReturnType<typeof setTimeout> | undefined
  let silent = false
  let hidden: ReturnType<typeof setTimeout> | undefined
  let again: ReturnType<typeof setTimeout> | undefined
  let release: (() => void) | undefined

  channel.onmessage = (m: MessageEvent<{ event?: LiveEvent; live?: boolean; silent?: boolean }>) => {
    if (m.data.event !== undefined) listener(m.data.event)
    if (m.data.live !== undefined) onState(m.data.live, m.data.silent)
  }
  const tell = (live: boolean, silent = false) => {
    onState(live, silent)
    channel.postMessage({ live, silent })
  }
  // A connection over which nothing comes any more looks like one that stands: it is
  // given up, and another one asks for what came since. That one may wait as long.
  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(() => {
      source?.close()
      if (!silent) tell(false, true) // once: it is looked for from then on
      silent = true
      open()
    }, 2 * every + grace)
  }
  const open = () => {
    let alive = false // its server gives signs of life that can be missed; an older one does not
    const own = (source = new EventSource(seenId === '' ? url : `${url}?last_event_id=${seenId}`))
    heard()
    own.onopen = () => {
      clearTimeout(silence) // from its first sign of life on
      silent = false
      tell(true)
    }
    own.onerror = () => {
      tell(false)
      // An answer that is no stream (a restart behind a proxy) ends it for the browser, not for us.
      if (own.readyState !== EventSource.CLOSED || source !== own) return
      clearTimeout(again)
      clearTimeout(silence)
      seenId = '' // all is read anew; an older server would refuse the number
      again = setTimeout(() => source === own && (open(), said()), pause())
    }
    const took = (m: Event) => {
      if (alive) heard()
      seenId = (m as MessageEvent<string>).lastEventId || seenId
    }
    own.addEventListener('alive', (m) => {
      every = (JSON.parse((m as MessageEvent<string>).data) as { every: number }).every
      alive = true
      took(m)
    })
    for (const kind of kinds) {
      own.addEventListener(kind, (m) => {
        took(m)
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
    clearTimeout(silence)
    source?.close()
    source = undefined
    seenId = '' // what comes until it is looked at again is read anew
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
