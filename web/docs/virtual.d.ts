declare module 'virtual:docs/index' {
  export const guides: import('./build/types').GuideInfo[]
  export const loadGuide: Record<import('./build/types').Language, Record<string, () => Promise<{ default: import('./build/types').Guide }>>>
  export const loadOperations: Record<import('./build/types').ContractId, () => Promise<{ default: Record<string, import('./build/types').Operation> }>>
  export const loadSchemas: Record<import('./build/types').ContractId, () => Promise<{ default: Record<string, import('./build/types').Schema> }>>
}
declare module 'virtual:docs/contracts' {
  const all: import('./build/types').ContractInfo[]
  export default all
}
