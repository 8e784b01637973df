"""``manage.py doctor``: does this deployment have what it needs, and what is to be mended?"""
