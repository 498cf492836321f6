// Keeps the page up to date and copies texts. Without it everything works, and the page reloads itself.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const text = document.getElementById(button.dataset.copy);
  const label = button.ariaLabel;
  const say = (word) => {
    button.textContent = word;
    button.ariaLabel = word;
    setTimeout(() => { button.textContent = "Copy"; button.ariaLabel = label; }, 2000);
  };
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      say("Copied");
    } catch {
      // Without https a browser does not let us copy: the text is selected for the person to do it.
      getSelection().selectAllChildren(text);
      say("Selected");
    }
  });
}

const source = new EventSource("/live");
source.addEventListener("message", (event) => {
  for (const [name, html] of Object.entries(JSON.parse(event.data))) {
    const place = document.getElementById(name);
    // Whoever is about to press a button in it keeps it.
    if (place && !(place.contains(document.activeElement) && place.querySelector("button"))) {
      place.innerHTML = html;
    }
  }
});
source.addEventListener("error", () => {
  // Closed for good: the session is over. The page knows what to show then.
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
