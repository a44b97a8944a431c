import { clean, few } from './desk-axe'

// Every screen, in turns in one of the two; all in all combinations in the long set.
clean(few, true)
