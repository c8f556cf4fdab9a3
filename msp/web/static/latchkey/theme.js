// Runs before the first paint, so that a dark page never flashes white. "auto" follows the system.
(function () {
  "use strict";
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return window.localStorage.getItem("latchkey-theme");
    } catch {
      return null; // storage may be closed to us; then the system decides
    }
  }

  function apply() {
    root.setAttribute("data-bs-theme", chosen() || (system.matches ? "dark" : "light"));
  }

  window.switchTheme = function () {
    const next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    try {
      // Back to what the system says is no choice of one's own any more: follow the system again.
      if ((next === "dark") === system.matches) window.localStorage.removeItem("latchkey-theme");
      else window.localStorage.setItem("latchkey-theme", next);
    } catch {
      // not remembered, but switched
    }
    root.setAttribute("data-bs-theme", next);
  };

  system.addEventListener("change", apply);
  apply();
})();
