// Comfort only: every page works without it.
"use strict";
(() => {
  const body = document.body;

  // A link that signs in: whoever runs scripts is a browser, and no preview of the link.
  document.querySelector("form[data-send]")?.requestSubmit();

  // What is polled: every 3 s at first, then once a minute, and never in a tab that nobody sees.
  let ticks = 0;
  const tick = () => {
    if (!document.hidden) {
      ticks += 1;
      body.dispatchEvent(new Event("tick"));
    }
    setTimeout(tick, ticks < 20 ? 3000 : 60000);
  };
  if (document.querySelector("[data-polled]")) setTimeout(tick, 3000);

  // A form that is sent twice would be done once; this spares the second look.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button && event.target.method === "post") setTimeout(() => { button.disabled = true; });
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
  });

  const typing = (element) => element.closest("input, select, textarea, [contenteditable]");
  const names = () => [...document.querySelectorAll(".list .name")];
  const step = (by) => {
    const all = names();
    const next = all.indexOf(document.activeElement) + by;
    all[Math.max(0, Math.min(next, all.length - 1))]?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/") {
      const field = document.querySelector("main [name=q]") || document.querySelector("[name=q]");
      if (!field) return;
      event.preventDefault();
      field.focus();
      field.select();
    } else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
  });

  // Without a script a button sends these.
  for (const field of document.querySelectorAll("select[data-sends]")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }
})();
