/** The colours that the reader has chosen. `system`: those of the system. */
export type Colours = "system" | "light" | "dark";

const place = "troupe-colours";

export function chosenColours(): Colours {
  const chosen = localStorage.getItem(place);
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function chooseColours(colours: Colours): void {
  if (colours === "system") localStorage.removeItem(place);
  else localStorage.setItem(place, colours);
  applyColours();
}

/** Puts the choice where the style sheet finds it. */
export function applyColours(): void {
  const colours = chosenColours();
  if (colours === "system") delete document.documentElement.dataset.colours;
  else document.documentElement.dataset.colours = colours;
}
