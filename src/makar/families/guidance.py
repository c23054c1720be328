"""How strongly models with captions insist on a prompt where nothing else is asked for; no torch."""

PROMPT_GUIDANCE = 3.0
"""Weight of classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598); 1 would be the model itself."""
