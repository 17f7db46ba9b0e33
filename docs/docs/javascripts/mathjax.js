// Formulas arrive as \(...\) from arithmatex; nothing else on a page is TeX. A formula that is
// wider than its paragraph scrolls.
window.MathJax = {
  tex: { inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]] },
  options: { ignoreHtmlClass: ".*|", processHtmlClass: "arithmatex" },
  startup: {
    pageReady: () =>
      MathJax.startup.defaultPageReady().then(() => {
        for (const formula of document.querySelectorAll("p mjx-container, li mjx-container")) {
          const room = formula.closest("p, li").clientWidth;
          formula.classList.toggle("wide", formula.offsetWidth > room);
        }
      }),
  },
};
