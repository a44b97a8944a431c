// What the pages show, loaded when it is shown. It is part of the program, so
// it does not grow stale.
import { loadContracts, loadGuide, loadOperations, loadSchemas } from 'virtual:docs/index'
import type { ContractId, Language } from './build/types'

const kept = { staleTime: Infinity, gcTime: Infinity, refetchOnWindowFocus: false, retry: 1 }

export const contractIds: ContractId[] = ['v2', 'iam', 'desk', 'web']
export const isContract = (id: string): id is ContractId => (contractIds as string[]).includes(id)

/** A guide, `null` when there is none of this name. */
export const guideQuery = (id: string, language: Language) => ({
  ...kept,
  queryKey: ['guide', id, language],
  queryFn: async () => (await loadGuide[language][id]?.())?.default ?? null,
})
export const contractsQuery = (language: Language) => ({ ...kept, queryKey: ['contracts', language], queryFn: async () => (await loadContracts[language]()).default })
export const operationQuery = (contract: string, operation: string, language: Language) => ({
  ...kept,
  queryKey: ['operation', contract, operation, language],
  queryFn: async () => {
    if (!isContract(contract)) return null
    const [operations, schemas] = await Promise.all([loadOperations[language][contract](), loadSchemas[language][contract]()])
    const found = Object.hasOwn(operations.default, operation) ? operations.default[operation] : undefined
    return found === undefined ? null : { contract, operation: found, schemas: schemas.default }
  },
})
