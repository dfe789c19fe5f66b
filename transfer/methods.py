"""The transfer methods by name.

Each module holds TEACHER_PHASE, the phase of the teacher it learns from; PUBLISHED, the flags' values that its source has; and `phases(parts)`.
"""

from transfer import adversarial, comparative, g2g, g2g_al, g2g_fa, gan2g, gan2g_al, gan2gan

METHODS = {
    "g2g": g2g,
    "g2g_al": g2g_al,
    "gan2g": gan2g,
    "gan2g_al": gan2g_al,
    "gan2gan": gan2gan,
    "comparative": comparative,
    "adversarial": adversarial,
    "g2g_fa": g2g_fa,
}
