// Colours of code: lowlight's tree, flat, with few classes. Loaded when a page
// has code.
import bash from 'highlight.js/lib/languages/bash'
import go from 'highlight.js/lib/languages/go'
import json from 'highlight.js/lib/languages/json'
import python from 'highlight.js/lib/languages/python'
import yaml from 'highlight.js/lib/languages/yaml'
import { createLowlight } from 'lowlight'

export interface Piece {
  t: string
  c?: 'comment' | 'string' | 'keyword' | 'number' | 'name'
}

const low = createLowlight({ bash, go, json, python, yaml })

const classes: Record<string, Piece['c']> = {
  comment: 'comment',
  meta: 'comment',
  string: 'string',
  regexp: 'string',
  keyword: 'keyword',
  built_in: 'keyword',
  type: 'keyword',
  literal: 'number',
  number: 'number',
  attr: 'name',
  title: 'name',
  variable: 'name',
  subst: undefined,
}

type Node = ReturnType<typeof low.highlight>['children'][number]

export function highlight(code: string, language: string): Piece[] {
  if (!low.registered(language)) return []
  const out: Piece[] = []
  const walk = (nodes: Node[], c: Piece['c']) => {
    for (const n of nodes) {
      if (n.type === 'text') out.push(c === undefined ? { t: n.value } : { t: n.value, c })
      else if (n.type === 'element') {
        const name = ([n.properties['className']].flat()[0] ?? '').toString().replace('hljs-', '')
        walk(n.children as Node[], name in classes ? classes[name] : c)
      }
    }
  }
  walk(low.highlight(language, code.replace(/\n$/, '')).children, undefined)
  return out
}
