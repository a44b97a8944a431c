// Says when the page's files come slowly or not at all (words in the HTML), and tries again.
{
  const waits = () => document.getElementById('app').childElementCount === 0
  const show = (id) => document.querySelectorAll('.boot').forEach((p) => (p.hidden = p.id !== id))
  let broken = false
  const wait = () => setTimeout(again, 5000)
  const again = () => waits() && fetch(location.href, { method: 'HEAD' }).then((r) => (r.ok ? location.reload() : wait()), wait)
  const failed = () => {
    if (broken || !waits()) return
    broken = true
    show('broken')
    wait()
  }
  addEventListener('error', failed, true)
  addEventListener('unhandledrejection', failed)
  setTimeout(() => broken || !waits() || show('slow'), 2000)
}
