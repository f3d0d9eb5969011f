# An example that needs no provider. Replace it by your module: tenantry gives it the values of
# the layers for the variables that it declares, and a backend of its own for each stack.
terraform {
  required_version = ">= 1.5"
}

locals {
  name = "${var.tenantry_customer}-${var.project_name}-${var.tenantry_environment}"
}

resource "terraform_data" "network" {
  input = {
    name               = local.name
    region             = var.region
    vpc_cidr           = var.networking.vpc_cidr
    availability_zones = var.networking.availability_zones
  }
}

resource "terraform_data" "instances" {
  input = {
    name          = local.name
    instance_type = var.instance_type
    min           = var.min_instances
    max           = var.max_instances
    tags          = var.tags
  }
}
