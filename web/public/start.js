// Before the page's own files: says when they come slowly or not at all, and
// tries again. What it says stands in the HTML, hidden, in both languages.
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
  addEventListener('error', failed, true) // a file that does not come tells its element alone
  addEventListener('unhandledrejection', failed)
  setTimeout(() => broken || !waits() || show('slow'), 2000)
}
