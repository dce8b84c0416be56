// Runs before the first paint (a module would run after it) so that a dark page never flashes white. See ui/theme.ts.
(() => {
  let choice = 'system';
  try {
    choice = localStorage.getItem('weir.theme') ?? 'system';
  } catch {
    // Storage may be blocked; the system's theme is a fine answer then.
  }
  const dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
