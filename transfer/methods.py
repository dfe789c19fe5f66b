"""The transfer methods by name."""

from transfer import adapt, adversarial, comparative, g2g, g2g_al, g2g_fa, gan2g, gan2g_al, gan2gan
from transfer.job import Method

_MODULES = (g2g, g2g_al, gan2g, gan2g_al, gan2gan, comparative, adversarial, g2g_fa, adapt)
METHODS: dict[str, Method] = {module.METHOD.name: module.METHOD for module in _MODULES}
