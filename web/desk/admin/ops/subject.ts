// What the thing of an event is called: of what is gone nothing else tells.
export function nameIn(data: Record<string, unknown> | undefined, language: 'zh-cn' | 'en-us'): string {
  for (const key of [...(language === 'zh-cn' ? ['name_zh', 'name_en'] : ['name_en', 'name_zh']), 'name']) {
    const name = data?.[key]
    if (typeof name === 'string' && name !== '') return name
  }
  return ''
}

/** Whether what it happened by is what it happened to: the run of a rule, a macro or over many tickets. */
export const byItself = (e: { subject: string; via?: { kind: string } }): boolean => e.via?.kind === e.subject
