output "store_url" {
  description = "`store.url` of tenantry.yml."
  value       = "s3://${aws_s3_bucket.store.id}/${var.store_prefix}"
}

output "audit_store" {
  description = "`audit.store` of tenantry.yml."
  value       = "s3://${aws_s3_bucket.audit.id}/${var.store_prefix}"
}

output "manager_role" {
  description = "Role of the jobs that run in no environment."
  value       = aws_iam_role.manager.arn
}

output "roles" {
  description = "Roles by customer, environment and job; the apply roles belong into `roles` of metadata.yaml."
  value       = { for key, role in aws_iam_role.job : key => role.arn }
}
