/** The page's title: what it is first, the product last. */
export function title(text: string): void {
  document.title = text === '' ? 'Casemate' : `${text} · Casemate`
}
