"""The transfer methods by name."""

from transfer import adversarial, comparative, g2g, g2g_al, g2g_fa, gan2g, gan2g_al, gan2gan
from transfer.job import Method

_MODULES = (g2g, g2g_al, gan2g, gan2g_al, gan2gan, comparative, adversarial, g2g_fa)
METHODS: dict[str, Method] = {module.METHOD.name: module.METHOD for module in _MODULES}
