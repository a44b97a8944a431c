// Cells of tables that people open in a spreadsheet program.

// Go's unicode.IsSpace and the category Cf: what may stand before a formula unseen.
const unseen = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\p{Cf}]+/u
const signs = '=+-@＝＋－＠﹢﹣﹦﹫−'

/**
 * A text that no spreadsheet program takes for a formula; the same rule as the
 * server's (internal/sheet, Defuse): controls are dropped, and a text that begins
 * with a sign of a formula, also after blanks or invisible characters, gets an
 * apostrophe before it.
 */
export function defuse(text: string): string {
  const s = text.replace(/[\0-\x08\v\f\x0e-\x1f\x7f-\x9f\ufffe\uffff]/g, '').replace(/\p{Cs}/gu, '\ufffd')
  if (s === '') return s
  const first = s.replace(unseen, '').charAt(0)
  return (first !== '' && signs.includes(first)) || '\t\r\n'.includes(s.charAt(0)) ? `'${s}` : s
}

/** A cell by RFC 4180; always quoted, so that a program with another separator sees its borders too. */
export const cell = (text: string): string => `"${defuse(text).replaceAll('"', '""')}"`
