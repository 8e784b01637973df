from django.apps import AppConfig


class ListsConfig(AppConfig):
    name = "billing_portal.lists"
    label = "lists"
