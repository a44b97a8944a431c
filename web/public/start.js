// Says when the page's files come slowly or not at all (words in the HTML), and tries again, less and less often.
{
  const waits = () => document.getElementById('app').childElementCount === 0
  const show = (id) => document.querySelectorAll('.boot').forEach((p) => (p.hidden = p.id !== id))
  const key = 'start' + location.pathname
  const tries = +sessionStorage[key] || 0
  let broken = false
  const wait = () => setTimeout(again, (5 + Math.random()) * 1000 * 2 ** Math.min(tries, 6))
  const again = () =>
    waits() &&
    fetch(location.href, { method: 'HEAD' }).then((r) => {
      if (!r.ok) return wait()
      sessionStorage[key] = tries + 1
      location.reload()
    }, wait)
  const failed = (e) => {
    // Not of a script that something else brought along.
    if (broken || !waits() || (e.filename && !e.filename.startsWith(location.origin))) return
    broken = true
    show('broken')
    wait()
  }
  addEventListener('error', failed, true)
  addEventListener('unhandledrejection', failed)
  setTimeout(() => (waits() ? broken || show('slow') : sessionStorage.removeItem(key)), 2000)
}
