declare module 'virtual:docs/index' {
  type Load<T> = () => Promise<{ default: T }>
  type ByLanguage<T> = Record<import('./build/types').Language, T>
  type ByContract<T> = Record<import('./build/types').ContractId, T>
  export const guides: import('./build/types').GuideInfo[]
  export const loadGuide: ByLanguage<Record<string, Load<import('./build/types').Guide>>>
  export const loadContracts: ByLanguage<Load<import('./build/types').ContractInfo[]>>
  export const loadOperations: ByLanguage<ByContract<Load<Record<string, import('./build/types').Operation>>>>
  export const loadSchemas: ByLanguage<ByContract<Load<Record<string, import('./build/types').Schema>>>>
}
