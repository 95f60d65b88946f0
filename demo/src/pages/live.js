(() => {
  const byId = (id) => document.getElementById(id);
  const show = (element, text) => { element.textContent = text; element.hidden = false; };

  // Where the cart lives: the answer is personal, so it is fetched and never part of the page.
  fetch("/api/cart", { headers: { accept: "application/json" } })
    .then((response) => response.json())
    .then(({ items, instance, shared }) => {
      const pieces = items.reduce((sum, item) => sum + item.quantity, 0);
      if (!pieces) return;
      show(byId("cart-count"), pieces);
      show(byId("cart-home"), shared ? "Your cart is in the database" : `Your cart is held by ${instance}`);
    })
    .catch(() => {});

  // Live prices. The socket comes back by itself, a little later each time.
  const last = new Map();
  let patience = 500;
  const turn = (element, delta) => {
    element.classList.remove("up", "down");
    if (delta) element.classList.add(delta > 0 ? "up" : "down");
  };
  const take = ({ product, name, price, instance }) => {
    const delta = price - (last.get(product) ?? price);
    last.set(product, price);
    show(byId("live-home"), `Live prices from ${instance}`);
    document.querySelectorAll(`[data-price="${product}"]`).forEach((element) => {
      element.textContent = `€ ${price.toFixed(2)}`;
      turn(element, delta);
    });
    const list = byId("ticker");
    if (!list) return;
    list.querySelector(`[data-product="${product}"]`)?.remove();
    const row = document.createElement("li");
    row.dataset.product = product;
    const amount = document.createElement("b");
    amount.textContent = `€ ${price.toFixed(2)}`;
    row.append(`${name} `, amount);
    turn(row, delta);
    list.prepend(row);
    while (list.children.length > 6) list.lastElementChild.remove();
  };
  const connect = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/ticker`);
    socket.onopen = () => { patience = 500; document.querySelector(".ticker")?.classList.add("live"); };
    socket.onmessage = (message) => take(JSON.parse(message.data));
    socket.onclose = () => {
      document.querySelector(".ticker")?.classList.remove("live");
      byId("live-home").hidden = true;
      setTimeout(connect, patience);
      patience = Math.min(patience * 2, 8000);
    };
  };
  connect();
})();
