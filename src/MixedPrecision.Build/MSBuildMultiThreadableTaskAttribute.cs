using System;

namespace Microsoft.Build.Framework;

/// <summary>
/// Tells <c>msbuild -mt</c>, which knows this attribute by its name, that a task uses neither the current directory
/// nor the environment of its process. Defined here so that the task still loads into hosts that do not have it.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class MSBuildMultiThreadableTaskAttribute : Attribute
{
}
