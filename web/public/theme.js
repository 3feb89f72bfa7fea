// Runs before the first paint, so that a remembered theme does not flash the other one. A file and not inline, since the
// content policy forbids inline scripts. The key is the one of src/hooks/theme.ts.
try {
  const remembered = localStorage.getItem('pollcast-theme');
  if (remembered === 'dark' || remembered === 'light') document.documentElement.dataset.theme = remembered;
} catch {
  // Storage may be forbidden; the system's theme holds then.
}
