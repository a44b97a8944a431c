import type zh from './zh-cn'

const texts: Record<keyof typeof zh, string> = {
  'login.title': 'Sign in to Casemate',
  'login.kind': 'Sign in as',
  'login.customer': 'Customer',
  'login.house': 'Support team',
  'login.domain': 'Account',
  'login.domain.hint': "Your company's account, not your own name",
  'login.name': 'User name',
  'login.password': 'Password',
  'login.show': 'Show password',
  'login.hide': 'Hide password',
  'login.caps': 'Caps Lock is on',
  'login.go': 'Sign in',
  'login.going': 'Signing in',
  'login.missing': 'Please fill this in',
  'login.failed': 'Account, user name or password is wrong, or the account is locked.',
  'login.failed.house': 'User name or password is wrong, or the account is locked.',
  'login.later': 'Too many attempts. Try again in {time}.',
  'login.help': "Forgot the password? Ask your company's main account or the support team.",
}
export default texts
