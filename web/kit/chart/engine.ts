// Draws a model with Chart.js; loaded where a chart is and nowhere else.
import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip, type ActiveElement, type ChartDataset } from 'chart.js'
import { across, lines, scale, type Model, type Tone } from './model'

Chart.register(BarController, BarElement, CategoryScale, Legend, LinearScale, LineController, LineElement, PointElement, Tooltip)

export interface Look {
  locale: string
  /** A value in words. */
  say: (value: number) => string
  /** So many of a unit of time, for an axis. */
  axis: (n: number, unit: ReturnType<typeof scale>['name']) => string
  open: (href: string) => void
}

const token: Record<Tone, string> = { new: '--st-new', work: '--st-work', you: '--st-you', done: '--st-done', off: '--st-off', bad: '--bad', warn: '--warn', brand: '--brand' }

/** A colour of the page as it is now: `light-dark()` is settled by the browser. */
function colour(of: HTMLElement, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  of.append(probe)
  const c = getComputedStyle(probe).color
  probe.remove()
  return c
}

/** Fillings differ in their pattern, not in colour alone. */
function fill(tone: string, ground: string, n: number): CanvasPattern | string {
  if (n === 0) return tone
  const size = 8
  const tile = document.createElement('canvas')
  tile.width = tile.height = size
  const c = tile.getContext('2d')
  if (c === null) return tone
  c.fillStyle = n === 4 ? tone : ground
  c.fillRect(0, 0, size, size)
  c.strokeStyle = c.fillStyle = n === 4 ? ground : tone
  c.lineWidth = 2.5
  c.beginPath()
  if (n === 1) for (const d of [-size, 0, size]) (c.moveTo(d, size), c.lineTo(d + size, 0))
  else if (n === 2) for (const y of [2, 6]) (c.moveTo(0, y), c.lineTo(size, y))
  else if (n === 3) for (const [x, y] of [[2, 2], [6, 6]] as const) (c.moveTo(x, y), c.arc(x, y, 1.7, 0, 7))
  else for (const d of [-size, 0, size]) (c.moveTo(d, 0), c.lineTo(d + size, size))
  if (n === 3) c.fill()
  else c.stroke()
  return c.createPattern(tile, 'repeat') ?? tone
}

const dashes = [[], [6, 4], [2, 3], [8, 3, 2, 3]]
const points = ['circle', 'rectRot', 'triangle', 'rect'] as const

export function draw(canvas: HTMLCanvasElement, model: Model, look: Look): () => void {
  const box = canvas.parentElement ?? document.body
  const [fg, line, ground] = [colour(box, '--fg-2'), colour(box, '--line'), colour(box, '--surface')]
  const all = model.series.flatMap((s) => s.values).filter((v): v is number => v !== null)
  const unit = scale(Math.max(0, ...all))
  const by = model.unit === 'ms' ? unit.ms : 1
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12 }
  const datasets = model.series.map((s, i): ChartDataset<'bar' | 'line'> => {
    const c = colour(box, token[s.tone])
    const data = s.values.map((v) => (v === null ? null : v / by)) as number[]
    return model.kind === 'line'
      ? { type: 'line', label: s.name, data, borderColor: c, backgroundColor: c, borderWidth: 2, borderDash: dashes[i % dashes.length], pointStyle: points[i % points.length], pointRadius: s.values.length > 45 ? 2 : 4, pointHoverRadius: 6, pointHitRadius: 12, spanGaps: true, tension: 0 }
      : { type: 'bar', label: s.name, data, backgroundColor: fill(c, ground, i % 6), borderColor: c, borderWidth: 1, borderSkipped: false, maxBarThickness: 30, stack: model.stacked ? 'all' : undefined }
  })
  const hrefOf = (e: ActiveElement | undefined) => (e === undefined ? undefined : model.series[e.datasetIndex]?.hrefs?.[e.index])
  const value = model.sideways ? 'x' : 'y'
  const names = model.sideways ? 'y' : 'x'
  const chart = new Chart<'bar' | 'line'>(canvas, {
    type: model.kind,
    data: { labels: model.sideways ? model.labels.map((l) => lines(l, across(box.clientWidth))) : model.labels, datasets },
    options: {
      indexAxis: model.sideways ? 'y' : 'x',
      locale: look.locale,
      responsive: true,
      maintainAspectRatio: false,
      animation: false,
      interaction: { mode: model.kind === 'line' ? 'nearest' : 'point', intersect: model.kind !== 'line', axis: 'x' },
      color: fg,
      scales: {
        [value]: {
          beginAtZero: true,
          max: model.unit === 'percent' ? 100 : undefined,
          stacked: model.stacked,
          grid: { color: line },
          border: { display: false },
          ticks: { color: fg, font, precision: model.unit === 'count' ? 0 : undefined, maxTicksLimit: 6, ...(model.unit === 'ms' ? { callback: (v: number | string) => look.axis(Number(v), unit.name) } : {}) },
        },
        [names]: { stacked: model.stacked, grid: { display: false }, border: { color: line }, ticks: { color: fg, font, maxRotation: 0, autoSkip: !model.sideways, autoSkipPadding: 12 } },
      },
      plugins: {
        legend: { display: model.series.length > 1, position: 'bottom', align: 'start', labels: { color: fg, font, usePointStyle: model.kind === 'line', boxWidth: model.kind === 'line' ? 8 : 14, boxHeight: model.kind === 'line' ? 8 : 10, padding: 12 } },
        tooltip: {
          animation: false,
          titleFont: font,
          bodyFont: font,
          callbacks: { label: (t) => `${t.dataset.label ?? ''} ${look.say(model.series[t.datasetIndex]?.values[t.dataIndex] ?? 0)}` },
        },
      },
      onHover: (_, found) => {
        canvas.style.cursor = hrefOf(found[0]) === undefined ? 'default' : 'pointer'
      },
      onClick: (_, found) => {
        const href = hrefOf(found[0])
        if (href !== undefined) look.open(href)
      },
    },
  })
  return () => chart.destroy()
}
