// Runs before the first paint, so that the chosen theme and rail never flash.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("theme");
    if (theme) root.dataset.theme = theme;
    if (localStorage.getItem("rail") === "collapsed") root.dataset.rail = "collapsed";
  } catch {
    // Storage may be forbidden; the system's theme then stands.
  }
})();
