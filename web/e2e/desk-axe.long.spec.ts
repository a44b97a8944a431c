import { clean, few } from './desk-axe'

clean((c) => !few(c))
