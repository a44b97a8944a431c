// The account's menu, loaded when it is opened. Not inside the frame's own
// component: the router takes a component with an import in its text for a lazy one.
export const accountMenu = () => import('./AccountMenu.svelte')
